"""What work costs now: live clusters, a bill or a replay, put together again and again; nothing here draws."""
