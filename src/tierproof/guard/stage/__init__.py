"""Downloads, verifies and tries the packages of a plan before they are activated."""
