"""One module per noun; a route is: open, call, shape."""
