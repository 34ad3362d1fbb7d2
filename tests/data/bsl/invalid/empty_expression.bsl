// error at 2:5
А = ;
