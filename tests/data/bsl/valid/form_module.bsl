&НаКлиенте
Перем ОбновитьИнтерфейс;

&НаСервере
Процедура ПриСозданииНаСервере(Отказ, СтандартнаяОбработка)
	Отказ = Ложь;
КонецПроцедуры

&НаСервереБезКонтекста
Функция Пусто()
	Возврат Неопределено;
КонецФункции

&AtClient
Async Procedure Ask(Command)
	Answer = Await DoQueryBoxAsync("?", QuestionDialogMode.YesNo);
	Await ShowAsync(Answer);
EndProcedure
