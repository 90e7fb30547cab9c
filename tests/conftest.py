"""What holds for every test: no call reaches an account, and functions find the environment that Lambda gives them."""

from __future__ import annotations

import os

from hypothesis import settings

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

# The same examples on every run, so that a change is judged by what it changes. `pytest --hypothesis-profile=explore`
# draws new ones, ten times as many. Neither measures time: the machine may be busy.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile("repeatable")
