"""What a clinic is told of itself: one module a report, all of the same shape (`models.reports.tables`)."""
