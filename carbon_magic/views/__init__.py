"""What people see. Views read records and snapshots; they never touch a sensor."""
