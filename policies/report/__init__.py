"""Reports of what the policies found, for pull requests: SARIF and Markdown. Needs the standard library only."""
