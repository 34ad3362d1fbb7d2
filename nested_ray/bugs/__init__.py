"""What a level's model learned about wrong names, operators, literals and argument orders."""
