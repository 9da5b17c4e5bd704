"""What check_manifests.py checks: one file for each way that resources come about, and for each kind of rule."""
