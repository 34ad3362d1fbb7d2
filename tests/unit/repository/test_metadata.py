import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.repository.metadata import (
    FormEvent,
    MetadataText,
    read_form_events,
    read_metadata,
)
from nested_ray.repository.metadata_paths import (
    ModulePlace,
    is_form_path,
    is_metadata_path,
    module_place,
)

DUMP = """<?xml version="1.0" encoding="UTF-8"?>
<MetaDataObject xmlns="http://v8.1c.ru/8.3/MDClasses" xmlns:v8="http://v8.1c.ru/8.1/data/core">
 <{kind} uuid="0"><Properties><Name>{name}</Name>
  <Synonym><v8:item><v8:lang>en</v8:lang><v8:content>Stock</v8:content></v8:item>
   <v8:item><v8:lang>ru</v8:lang><v8:content>Склад</v8:content></v8:item></Synonym>{rest}
 </Properties><ChildObjects><Attribute><Properties><Name>Вес</Name></Properties></Attribute></ChildObjects>
 </{kind}>
</MetaDataObject>"""
EDT = """<?xml version="1.0" encoding="UTF-8"?>
<mdclass:{kind} xmlns:mdclass="http://g5.1c.ru/v8/dt/metadata/mdclass" uuid="0">
  <name>{name}</name>
  <synonym><key>ru</key><value>Склад</value></synonym>{rest}
</mdclass:{kind}>"""


@pytest.mark.parametrize(("layout", "flag"), [(DUMP, "Server"), (EDT, "server")])
def test_an_object_has_name_synonym_and_flags(layout: str, flag: str):
    xml = layout.format(kind="CommonModule", name="Склад", rest=f"<{flag}>true</{flag}>")
    found = read_metadata([MetadataText("CommonModules/Склад.xml", xml)]).object(
        "CommonModule", "СКЛАД"
    )
    assert found is not None
    assert (found.name, found.synonym, found.flags) == ("Склад", "Склад", frozenset({"Server"}))


@pytest.mark.parametrize(
    ("layout", "path", "content"),
    [
        (DUMP, "Subsystems/Общее/Subsystems/Склад.xml", "<Content><xr:Item>Catalog.Товары</xr:Item></Content>"),
        (EDT, "src/Subsystems/Общее/Subsystems/Склад/Склад.mdo", "<content>Catalog.Товары</content>"),
    ],
)  # fmt: skip
def test_a_subsystem_tells_its_members(layout: str, path: str, content: str):
    xml = layout.replace("uuid=", 'xmlns:xr="r" uuid=').format(
        kind="Subsystem", name="Склад", rest=content
    )
    assert read_metadata([MetadataText(path, xml)]).subsystems_of("Catalog", "товары") == [
        "Общее.Склад"
    ]


@pytest.mark.parametrize(
    ("layout", "rest"),
    [
        (
            DUMP,
            "<Source><v8:Type>cfg:CatalogObject.Товары</v8:Type></Source><Event>BeforeWrite</Event>"
            "<Handler>CommonModule.Склад.Проверить</Handler>",
        ),
        (
            EDT,
            "<source><types>CatalogObject.Товары</types></source><event>BeforeWrite</event>"
            "<handler>CommonModule.Склад.Проверить</handler>",
        ),
    ],
)
def test_a_subscription_tells_source_event_and_handler(layout: str, rest: str):
    xml = layout.format(kind="EventSubscription", name="П", rest=rest)
    (found,) = read_metadata([MetadataText("EventSubscriptions/П.xml", xml)]).subscriptions
    assert (found.event, found.sources) == ("BeforeWrite", ("CatalogObject.Товары",))
    assert (found.module, found.method) == ("Склад", "Проверить")


@pytest.mark.parametrize(("layout", "tag"), [(DUMP, "MethodName"), (EDT, "methodName")])
def test_a_job_tells_its_method(layout: str, tag: str):
    xml = layout.format(kind="ScheduledJob", name="Р", rest=f"<{tag}>CommonModule.А.Б</{tag}>")
    (found,) = read_metadata([MetadataText("ScheduledJobs/Р.xml", xml)]).jobs
    assert (found.name, found.module, found.method) == ("Р", "А", "Б")


def test_events_of_forms_name_methods():
    dump = """<Form><Events><Event name="OnOpen">ПриОткрытии</Event></Events>
      <ChildItems><InputField name="Поле"><Events><Event name="OnChange">ПолеПриИзменении</Event></Events>
      </InputField></ChildItems><Commands><Command name="Печать"><Action>Напечатать</Action></Command></Commands>
      </Form>"""
    edt = """<form:Form xmlns:form="f"><items><name>Поле</name>
      <handlers><event>OnChange</event><name>ПолеПриИзменении</name></handlers></items>
      <handlers><event>OnOpen</event><name>ПриОткрытии</name></handlers>
      <formCommands><name>Печать</name><action><handler><name>Напечатать</name></handler></action></formCommands>
      </form:Form>"""
    expected = {
        ("", "OnOpen", "ПриОткрытии"),
        ("Поле", "OnChange", "ПолеПриИзменении"),
        ("Печать", "Action", "Напечатать"),
    }
    for xml in (dump, edt):
        found = read_form_events([MetadataText("Forms/Ф/Ext/Form.xml", xml)])
        assert {(each.element, each.event, each.method) for each in found} == expected
        assert all(isinstance(each, FormEvent) for each in found)


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>'


@pytest.mark.parametrize(
    ("xml", "because"),
    [
        (BOMB, "document type"),
        ("<a>" * 100_000, "deeper"),
        ("<a><b></a>", "mismatched"),
        ("", "no element"),
        ("<a>&unknown;</a>", "undefined entity"),
    ],
)
def test_xml_that_cannot_be_read_is_skipped_with_a_reason(xml: str, because: str):
    found = read_metadata([MetadataText("Catalogs/А.xml", xml)])
    assert because in found.skipped["Catalogs/А.xml"]
    assert not found.objects


@given(st.text())
def test_any_text_is_read_or_skipped(text: str):
    found = read_metadata([MetadataText("Catalogs/А.xml", text)])
    assert len(found.skipped) + len(found.objects) <= 1
    read_form_events([MetadataText("Forms/Ф/Ext/Form.xml", text)])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("CommonModules/А/Ext/Module.bsl", ModulePlace("", "CommonModule", "А", "module")),
        ("src/CommonModules/А/Module.bsl", ModulePlace("src/", "CommonModule", "А", "module")),
        ("c/Catalogs/А/Ext/ObjectModule.bsl", ModulePlace("c/", "Catalog", "А", "object")),
        ("Tasks/Catalogs/А/Forms/Form/Ext/Form/Module.bsl", ModulePlace("Tasks/", "Catalog", "А", "form", "Form")),
        ("Catalogs/А/Forms/Ф/Module.bsl", ModulePlace("", "Catalog", "А", "form", "Ф")),
        ("Catalogs/А/Commands/К/Ext/CommandModule.bsl", ModulePlace("", "Catalog", "А", "command", "К")),
        ("CommonForms/Ф/Ext/Form/Module.bsl", ModulePlace("", "CommonForm", "Ф", "form")),
        ("lib/Module.bsl", None),
        ("CommonModules/А.bsl", None),
    ],
)  # fmt: skip
def test_a_path_tells_which_module_a_file_is(path: str, expected: ModulePlace | None):
    assert module_place(path) == expected


@pytest.mark.parametrize(
    ("path", "is_metadata", "is_form"),
    [
        ("Catalogs/А.xml", True, False),
        ("Catalogs/А/А.mdo", True, False),
        ("Catalogs/А/Forms/Ф/Ext/Form.xml", True, True),
        ("Catalogs/А/Forms/Ф/Form.form", True, True),
        ("CommonForms/Ф/Ext/Form.xml", True, True),
        ("Catalogs/А/Templates/М/Ext/Template.xml", False, False),
        ("Roles/А/Ext/Rights.xml", False, False),
        ("pom.xml", False, False),
    ],
)
def test_only_descriptions_of_objects_and_forms_are_metadata(
    path: str, is_metadata: bool, is_form: bool
):
    assert (is_metadata_path(path), is_form_path(path)) == (is_metadata, is_form)
