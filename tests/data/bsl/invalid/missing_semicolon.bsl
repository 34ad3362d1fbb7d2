// error at 3:1
А = 1
Б = 2;
