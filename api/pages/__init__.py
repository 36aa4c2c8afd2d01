"""Pages and pictures for people: charts as SVG, reports as HTML."""
