"""The front door: Heroku's Platform API v3, one file per resource."""
