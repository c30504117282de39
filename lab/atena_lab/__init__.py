"""AWS on one machine, made of real parts: the code behind `lab/lab`."""
