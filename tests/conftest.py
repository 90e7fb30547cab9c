"""What holds for every test: no call reaches an account, and functions find the environment that Lambda gives them."""

from __future__ import annotations

import os

# Before anything of AWS or Powertools is imported: both read the environment when they are.
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_SESSION_TOKEN="testing",
    AWS_DEFAULT_REGION="eu-west-1",
    AWS_REGION="eu-west-1",
    AWS_LAMBDA_FUNCTION_NAME="support-test-function",
    POWERTOOLS_SERVICE_NAME="support-test",
    POWERTOOLS_METRICS_NAMESPACE="EnergySupport",
    POWERTOOLS_METRICS_FUNCTION_NAME="support-test-function",
)
os.environ.pop("AWS_PROFILE", None)
