"""The ports in technology: DynamoDB, SQS, Parameter Store, Heroku, TOTP."""
