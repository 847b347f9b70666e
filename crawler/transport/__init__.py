"""What downloads. `base` says what every transport promises; `guard` what none may connect to."""
