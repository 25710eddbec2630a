"""What CloudTrail says: sources give bytes, `decode` gives records, `read` gives the `Trail` of one interval.

Hides delivery (S3, LookupEvents, files), every spelling of a record, and how a session leads back to its human.
"""
