"""Seconds from a call to its case: a warm process that reads queues, and looks at once at what their events touched.

Hides what is kept between two batches, and when the process has grown old enough to be started anew.
"""
