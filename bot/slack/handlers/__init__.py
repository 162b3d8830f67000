"""What happens after a command, a submit or a button: one module for each conversation."""
