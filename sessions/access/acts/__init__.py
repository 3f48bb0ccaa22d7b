"""Acts around access that the audit trail keeps: log-ins, passwords, the admin."""
