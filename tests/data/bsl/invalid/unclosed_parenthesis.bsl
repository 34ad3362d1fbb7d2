// error at 2:11
А = (1 + 2;
