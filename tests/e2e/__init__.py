"""The production template in MiniStack, with IAM enforced, beside the Heroku simulator."""
