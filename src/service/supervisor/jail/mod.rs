//! Where the processes of a component live: user, environment, working directory, limits, and an end for the whole tree.
