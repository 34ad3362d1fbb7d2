"""What training choices are worth: the measurements behind `nested-ray bench training`."""
