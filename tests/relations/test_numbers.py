"""Poses, hours, places and columns in different units: known distances, and what is said of labels that are wrong."""

import math

import pytest
import torch

import isometry
from isometry.relations import By, Circular, CloseTargets, Joints, Places, Scaled, joints


def test_joints_add_up_their_own_distances():
    """Σ_j ‖y_j − y'_j‖, by a double loop over pairs and joints."""
    poses = torch.randn(6, 14, 2, dtype=torch.float64)
    looped = [[sum(torch.dist(a[j], b[j]) for j in range(14)) for b in poses] for a in poses]
    torch.testing.assert_close(Joints().distances(poses, poses), torch.tensor(looped, dtype=torch.float64))
    torch.testing.assert_close(joints(poses.flatten(1), poses).gap, Joints().distances(poses, poses))


def test_the_bounds_of_joints_are_reached():
    """One joint moved: D = ‖y − y'‖. All moved equally far: D = √J ‖y − y'‖."""
    still = torch.zeros(1, 8)
    one, all_alike = still.clone(), torch.ones(1, 8)
    one[0, :2] = torch.tensor([3.0, 4.0])
    assert Joints().distances(still, one).item() == 5
    assert Joints().distances(still, all_alike).item() == pytest.approx(2 * still.dist(all_alike).item())
    assert Joints().bound(still).most == 2


def test_joints_in_space():
    pose = torch.tensor([[1.0, 2.0, 2.0, 0.0, 0.0, 0.0]])
    assert Joints(coordinates=3).distances(pose, torch.zeros(1, 6)).item() == 3
    assert Joints(coordinates=1).distances(pose, torch.zeros(1, 6)).item() == 5


def test_labels_of_a_wrong_width_are_named():
    with pytest.raises(ValueError, match=r"2 numbers a joint, and 27 label columns.*coordinates="):
        joints(torch.zeros(3, 27), torch.zeros(3, 27))
    with pytest.raises(ValueError, match="latitude and longitude in degrees; got 3"):
        Places()(torch.zeros(3, 3), torch.zeros(3, 3))
    with pytest.raises(ValueError, match="2 scales for 3 label columns"):
        Scaled(scales=(1, 2))(torch.zeros(3, 3), torch.zeros(3, 3))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Joints(coordinates=0)", "at least 1"),
        ("Circular(period=0)", "above 0"),
        ("Scaled(scales=(1, 0))", "above 0"),
        ("Scaled(scales=('a',))", "above 0"),
        ("Scaled()", "needs 'scales'"),
        ("By(distance=3)", "function"),
        ("By(distance=mine)", "There is no 'mine'"),
    ],
)
def test_settings_that_cannot_be(text, said):
    with pytest.raises(ValueError, match=said) as raised:
        isometry.parse(text)
    assert "\n" not in str(raised.value)


def test_the_clock_goes_round():
    hours = torch.tensor([0.0, 23.5, 12.0, 25.0])
    expected = torch.tensor([0.0, 0.5, 12.0, 1.0])
    torch.testing.assert_close(Circular().distances(hours[:1], hours)[0], expected)
    whole_turns = torch.tensor([[-48.0], [24.0], [240.0]])
    assert not Circular().distances(hours[:1], whole_turns).any()
    degrees = torch.tensor([[10.0, 350.0], [350.0, 10.0]])
    assert Circular(period=360).distances(degrees[:1], degrees[1:]).item() == pytest.approx(20 * math.sqrt(2))


def test_ages_do_not_go_round():
    ages = torch.tensor([1.0, 25.0])
    assert Circular().distances(ages, ages)[0, 1] == 0
    assert CloseTargets().distances(ages, ages)[0, 1] == 24


def test_great_circles():
    """Poles are half a turn apart, a quarter is a quarter; across the date line is near."""
    turn = 2 * math.pi * 6371.0088
    spots = torch.tensor([[90.0, 0.0], [-90.0, 0.0], [0.0, 17.0], [0.0, 179.5], [0.0, -179.5]], dtype=torch.float64)
    apart = Places().distances(spots, spots)
    assert apart[0, 1].item() == pytest.approx(turn / 2)
    assert apart[0, 2].item() == pytest.approx(turn / 4)
    assert apart[3, 4].item() == pytest.approx(turn / 360)


def test_distances_between_cities():
    """London, New York and Sydney: 5,570 and 16,990 km on the sphere, as atlases have them."""
    cities = torch.tensor([[51.5074, -0.1278], [40.7128, -74.0060], [-33.8688, 151.2093]])
    assert Places().distances(cities[:1], cities)[0].tolist() == pytest.approx([0, 5570, 16994], abs=1)


def test_places_off_the_map_are_named():
    spots = torch.tensor([[50.0, 8.0], [151.2, -33.9], [10.0, 400.0], [float("nan"), 500.0], [90.0, -180.0]])
    faults = Places().faults(spots)
    assert sorted(faults) == [1, 2, 3]
    assert "swapped" in faults[1]
    assert "longitude" in faults[2]


def test_a_column_counts_by_its_scale():
    y = torch.randn(9, 3, dtype=torch.float64)
    scales = (2.0, 1.0, 0.1)
    expected = CloseTargets().distances(y / torch.tensor(scales), y / torch.tensor(scales))
    torch.testing.assert_close(Scaled(scales=scales).distances(y, y), expected, rtol=1e-7, atol=1e-7)


def test_a_function_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"gave shape \[4\] for 4 rows and 3 columns; it must be \[4, 3\]"):
        By(distance=lambda rows, cols: rows[:, 0])(torch.zeros(4, 1), torch.zeros(3, 1)).gap  # noqa: B018


def test_a_function_trains():
    """A distance of the user's own in a loss: log-ratio of taxi distances is 0 on a scaled copy of a line."""
    taxi = By(distance=lambda rows, cols: (rows[:, None] - cols[None]).abs().sum(-1))
    y = torch.tensor([0.0, 1.0, 3.0, 7.0])
    z = torch.stack([5 * y, torch.zeros(4)], 1)
    assert isometry.losses.LogRatio(relate=taxi)(z, y).item() == pytest.approx(0, abs=1e-9)
