"""The coordinate check: do features move with the width as a parameterization's table says?"""
