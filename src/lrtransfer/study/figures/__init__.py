"""Enter by `drawing.draw`: figures from stored tables, redrawn in seconds. Imports no torch.

A figure is one file of this folder that holds `FIGURE`, a function of (tables, settings); its
name is the file's, so a new figure needs no edit elsewhere. Its `DRAWN_FROM` tells shared tests of
which study they give it tables: one of `tuners`, of weight `decay`, of many `arms`, or any, of
whose `runs` alone or also what was `measured` it draws.
"""
