"""The daemon: what runs by itself for years, and how it is.

Hides nothing by itself: each module says what it hides.
"""
