// error at 2:1
Возврат;
