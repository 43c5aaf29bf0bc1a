"""The place of an IP address, from a database that the operator provides."""

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from server.places import Places


def test_places_are_named_as_far_as_they_are_known(tmp_path):
    writer = MMDBWriter(4)
    berlin = {"city": {"names": {"en": "Berlin"}}, "country": {"names": {"en": "Germany"}}}
    writer.insert_network(IPSet(["192.0.2.0/24"]), berlin)
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"country": {"names": {"en": "France"}}})
    file = str(tmp_path / "places.mmdb")
    writer.to_db_file(file)
    places = Places(file)
    assert places.find("192.0.2.7") == "Berlin, Germany"
    assert places.find("198.51.100.1") == "France"
    for unknown in ("203.0.113.1", "no address", "2001:db8::1", ""):
        assert places.find(unknown) == ""
    assert Places("").find("192.0.2.7") == ""
