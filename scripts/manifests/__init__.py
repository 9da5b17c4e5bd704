"""The checks of check_manifests.py: one file for each source of resources, and one for each kind of rule."""
