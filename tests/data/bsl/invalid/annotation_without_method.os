// error at 3:1
&Тест
А = 1;
