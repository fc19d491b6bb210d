"""The long search: OR-Tools on clusters of the snapshot, ruin and recreate beside it, and the day planner."""
