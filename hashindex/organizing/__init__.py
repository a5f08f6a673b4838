"""Pictures under numbers: the plan, the one room that moves files, and its journal."""
