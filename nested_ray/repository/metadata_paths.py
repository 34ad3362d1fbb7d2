"""Where things lie in a 1C configuration: the Configurator's dump and EDT's project layout."""

from __future__ import annotations

from dataclasses import dataclass

FOLDERS: dict[str, tuple[str, str]] = {
    "commonmodules": ("CommonModule", ""),
    "catalogs": ("Catalog", "Справочники"),
    "documents": ("Document", "Документы"),
    "documentjournals": ("DocumentJournal", "ЖурналыДокументов"),
    "enums": ("Enum", "Перечисления"),
    "reports": ("Report", "Отчеты"),
    "dataprocessors": ("DataProcessor", "Обработки"),
    "chartsofcharacteristictypes": ("ChartOfCharacteristicTypes", "ПланыВидовХарактеристик"),
    "chartsofaccounts": ("ChartOfAccounts", "ПланыСчетов"),
    "chartsofcalculationtypes": ("ChartOfCalculationTypes", "ПланыВидовРасчета"),
    "informationregisters": ("InformationRegister", "РегистрыСведений"),
    "accumulationregisters": ("AccumulationRegister", "РегистрыНакопления"),
    "accountingregisters": ("AccountingRegister", "РегистрыБухгалтерии"),
    "calculationregisters": ("CalculationRegister", "РегистрыРасчета"),
    "businessprocesses": ("BusinessProcess", "БизнесПроцессы"),
    "tasks": ("Task", "Задачи"),
    "exchangeplans": ("ExchangePlan", "ПланыОбмена"),
    "constants": ("Constant", "Константы"),
    "filtercriteria": ("FilterCriterion", "КритерииОтбора"),
    "settingsstorages": ("SettingsStorage", "ХранилищаНастроек"),
    "commonforms": ("CommonForm", ""),
    "commoncommands": ("CommonCommand", ""),
    "subsystems": ("Subsystem", ""),
    "eventsubscriptions": ("EventSubscription", ""),
    "scheduledjobs": ("ScheduledJob", ""),
    "httpservices": ("HTTPService", ""),
    "webservices": ("WebService", ""),
    "roles": ("Role", ""),
}
"""Folder, folded → kind of the objects in it and the Russian word that code reaches them by."""

MANAGERS: dict[str, str] = {
    **{folder: kind for folder, (kind, word) in FOLDERS.items() if word},
    **{word.casefold(): kind for kind, word in FOLDERS.values() if word},
}
"""What stands before the dot in code, folded (`справочники`, `catalogs`) → kind of object."""

MODULE_ROLES = {
    "module": "module",
    "objectmodule": "object",
    "managermodule": "manager",
    "recordsetmodule": "recordset",
    "valuemanagermodule": "value",
    "commandmodule": "command",
}
"""File stem, folded → what the module is of its object."""


@dataclass(frozen=True, slots=True)
class ModulePlace:
    """Which module of which configuration object a file is."""

    root: str
    """Folder of the configuration within the repository; empty or ending with `/`."""
    kind: str
    """`CommonModule`, `Catalog`, …"""
    name: str
    role: str
    """`module` (of a common module), `object`, `manager`, `recordset`, `value`, `command` or `form`."""
    part: str = ""
    """Name of the form or command the module belongs to."""


def module_place(path: str) -> ModulePlace | None:
    """`src/Catalogs/Валюты/Ext/ManagerModule.bsl` → manager module of the catalog Валюты."""
    parts = path.split("/")
    role = MODULE_ROLES.get(parts[-1].rpartition(".")[0].casefold())
    if role is None or len(parts) < 3:
        return None
    # The innermost folder that is a kind's: a repository may lie in a folder called `Tasks`.
    for index in range(len(parts) - 3, -1, -1):
        if found := FOLDERS.get(parts[index].casefold()):
            rest = _without_ext(parts[index + 2 : -1])
            root = "/".join(parts[:index]) + "/" if index else ""
            return _placed(root, found[0], parts[index + 1], role, rest)
    return None


def _without_ext(folders: list[str]) -> list[str]:
    """`Forms/Список/Ext/Form` → `Forms/Список`; a form may itself be called `Form`."""
    folded = [folder.casefold() for folder in folders]
    if folded[-2:] == ["ext", "form"]:
        return folders[:-2]
    return folders[:-1] if folded[-1:] == ["ext"] else folders


def _placed(root: str, kind: str, name: str, role: str, rest: list[str]) -> ModulePlace | None:
    if not rest:
        return ModulePlace(root, kind, name, "form" if kind == "CommonForm" else role)
    if len(rest) == 2 and rest[0].casefold() == "forms":
        return ModulePlace(root, kind, name, "form", rest[1])
    if len(rest) == 2 and rest[0].casefold() == "commands":
        return ModulePlace(root, kind, name, "command", rest[1])
    return None


def is_metadata_path(path: str) -> bool:
    """Whether a file describes an object or a form of a configuration; templates, rights, help do not."""
    return is_object_path(path) or is_form_path(path)


def is_object_path(path: str) -> bool:
    """`Catalogs/Валюты.xml` of the Configurator, `Catalogs/Валюты/Валюты.mdo` of EDT."""
    parts = path.split("/")
    stem, _, ending = parts[-1].rpartition(".")
    if ending.lower() == "xml":
        return len(parts) >= 2 and parts[-2].casefold() in FOLDERS
    is_edt = ending.lower() == "mdo" and len(parts) >= 3 and parts[-2].casefold() == stem.casefold()
    return is_edt and parts[-3].casefold() in FOLDERS


def is_form_path(path: str) -> bool:
    """`Forms/Список/Ext/Form.xml` of the Configurator, `Forms/Список/Form.form` of EDT."""
    parts = path.casefold().split("/")
    if parts[-1] == "form.xml" and parts[-2:-1] == ["ext"]:
        return parts[-4:-3] in (["forms"], ["commonforms"])
    return parts[-1] == "form.form" and parts[-3:-2] in (["forms"], ["commonforms"])
