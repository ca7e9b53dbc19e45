"""The stack around the Lambdas: template, packaging, deployment. Never shipped to Lambda."""
