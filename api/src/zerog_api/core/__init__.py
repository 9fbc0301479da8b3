"""What the calls do, without HTTP. It raises the errors of its own and those of `zerog`."""
