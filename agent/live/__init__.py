"""What the cloud says: one reader, which interprets resource specs."""
