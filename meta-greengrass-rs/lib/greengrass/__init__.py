# What the classes of this layer need of Python. Build hosts may have one as old as 3.8.
BBIMPORTS = ["bundle", "component", "lock"]
