"""lrtransfer: does the learning rate found on a small network hold for a large one, and why?"""
