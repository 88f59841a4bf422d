"""`hub demo`: a crowd votes, clips are decided, people are paid and told, through real doors."""
