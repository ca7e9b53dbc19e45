"""The ports in technology: DynamoDB, SQS, KMS, Secrets Manager, Heroku, TOTP."""
