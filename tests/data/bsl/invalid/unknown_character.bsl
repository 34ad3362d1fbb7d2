// error at 2:7
А = Б $ В;
