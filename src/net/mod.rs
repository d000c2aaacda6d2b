//! The only opener of sockets to the world.
