"""driftwarden: what Terraform declares, what AWS is, what CloudTrail saw, and which changes had authority."""

__version__ = "0.1.0"
