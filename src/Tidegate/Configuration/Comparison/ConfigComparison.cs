using System.Collections;
using System.Reflection;

namespace Tidegate.Configuration.Comparison;

/// <summary>Walks two configurations along <see cref="ConfigShape"/>, so that a key is compared as soon as it exists, and notes what differs.</summary>
internal sealed class ConfigComparison
{
    private readonly ConfigPositions _oldPositions;
    private readonly ConfigPositions _newPositions;
    private readonly List<ConfigDifference> _differences = [];

    private ConfigComparison(ConfigPositions oldPositions, ConfigPositions newPositions)
    {
        _oldPositions = oldPositions;
        _newPositions = newPositions;
    }

    /// <summary>Compares two files that were read without errors. In the order of the file's keys.</summary>
    public static IReadOnlyList<ConfigDifference> Compare(LoadedConfiguration old, LoadedConfiguration @new)
    {
        var comparison = new ConfigComparison(old.Positions, @new.Positions);
        comparison.Records("", old.Config!, @new.Config!);
        return [.. comparison._differences.Select(ConfigConsequences.AddTo)];
    }

    private void Records(string path, object old, object @new)
    {
        foreach (var (key, property) in ConfigShape.Keys(old.GetType()))
        {
            // What an included file says is compared as if it stood here.
            if (property.Name != nameof(GatewayConfig.Include))
            {
                Values(new Place(path.Length == 0 ? key : $"{path}.{key}", property, old, @new), property.GetValue(old), property.GetValue(@new));
            }
        }
    }

    private void Values(Place place, object? old, object? @new)
    {
        var type = Nullable.GetUnderlyingType(place.Property.PropertyType) ?? place.Property.PropertyType;
        if (ConfigShape.ItemType(type) is { } item)
        {
            if (ConfigShape.IsRecord(item))
            {
                Items(place, (IList)old!, (IList)@new!);
            }
            else
            {
                Words(place, (IList)old!, (IList)@new!);
            }
        }
        else if (!ConfigShape.IsRecord(type))
        {
            Scalars(place, old, @new);
        }
        else if (old is not null && @new is not null)
        {
            Records(place.Path, old, @new);
        }
        else
        {
            Presence(place, old, @new);
        }
    }

    private void Scalars(Place place, object? old, object? @new)
    {
        if (ConfigEquality.AreEqual(old, @new) || IsSamePath(place))
        {
            return;
        }

        var key = ConfigShape.SnakeCase(place.Property.Name);
        var isSecret = (old ?? @new) is Secret || _oldPositions.IsSecret(place.Old, key) || _newPositions.IsSecret(place.New, key);
        var text = isSecret
            ? old is null ? "set (a secret, not shown)" : @new is null ? "removed (a secret, not shown)" : "changed (a secret, not shown)"
            : $"{ConfigText.Of(old, place.Old, place.Property, _oldPositions)} → {ConfigText.Of(@new, place.New, place.Property, _newPositions)}";
        Add(place, place.Path, DifferenceKind.Changed, text, old, @new);
    }

    /// <summary>Two files in two directories that name a file in the same way mean the same once one takes the other's place.</summary>
    private bool IsSamePath(Place place) =>
        place.Property.IsDefined(typeof(PathAttribute))
        && ConfigShape.SnakeCase(place.Property.Name) is var key
        && _oldPositions.Written(place.Old, key) is { } written
        && !Path.IsPathRooted(written)
        && written == _newPositions.Written(place.New, key);

    /// <summary>A list of single values: what came and what went.</summary>
    private void Words(Place place, IList old, IList @new)
    {
        if (ConfigEquality.AreEqual(old, @new))
        {
            return;
        }

        var key = ConfigShape.SnakeCase(place.Property.Name);
        var isSecret = _oldPositions.IsSecret(place.Old, key) || _newPositions.IsSecret(place.New, key);
        var (before, after) = (old.Cast<object>().ToList(), @new.Cast<object>().ToList());
        string[] parts =
        [
            .. after.Except(before).Select(item => "+ " + ConfigText.Of(item, _newPositions)),
            .. before.Except(after).Select(item => "- " + ConfigText.Of(item, _oldPositions)),
        ];
        var text = isSecret ? "changed (a secret, not shown)"
            : parts.Length > 0 ? string.Join(", ", parts)
            : $"{ConfigText.Of(old, _oldPositions)} → {ConfigText.Of(@new, _newPositions)}";
        Add(place, place.Path, DifferenceKind.Changed, text, old, @new);
    }

    /// <summary>A list of mappings: by name where they have one; else equal ones belong together, and the others in their order.</summary>
    private void Items(Place place, IList old, IList @new)
    {
        var before = old.Cast<object>().ToList();
        var after = @new.Cast<object>().ToList();
        var pairs = new List<(string Path, object? Old, object? New)>();
        foreach (var item in before.Where(item => Name(item) is not null).ToList())
        {
            var match = after.FirstOrDefault(candidate => Name(candidate) == Name(item));
            pairs.Add(($"{place.Path}[{Name(item)}]", item, match));
            before.Remove(item);
            after.Remove(match!);
        }

        foreach (var item in after.Where(item => Name(item) is not null).ToList())
        {
            pairs.Add(($"{place.Path}[{Name(item)}]", null, item));
            after.Remove(item);
        }

        foreach (var item in before.ToList())
        {
            if (after.FirstOrDefault(candidate => ConfigEquality.AreEqual(item, candidate)) is { } same)
            {
                before.Remove(item);
                after.Remove(same);
            }
        }

        for (var i = 0; i < Math.Max(before.Count, after.Count); i++)
        {
            var (one, other) = (before.ElementAtOrDefault(i), after.ElementAtOrDefault(i));
            pairs.Add(($"{place.Path}[{(one is null ? @new.IndexOf(other) : old.IndexOf(one))}]", one, other));
        }

        foreach (var (path, one, other) in pairs)
        {
            if (one is not null && other is not null)
            {
                Records(path, one, other);
            }
            else
            {
                Presence(place with { Path = path }, one, other);
            }
        }
    }

    private void Presence(Place place, object? old, object? @new)
    {
        if (old is null && @new is null)
        {
            return;
        }

        var text = @new is null ? ConfigText.Of(old!, _oldPositions) : ConfigText.Of(@new, _newPositions);
        Add(place, place.Path, @new is null ? DifferenceKind.Removed : DifferenceKind.Added, text, old, @new);
    }

    private static string? Name(object item) => item switch
    {
        EndpointConfig endpoint => SnapshotCompiler.EndpointName(endpoint),
        _ => item.GetType().GetProperty("Name")?.GetValue(item) as string,
    };

    private void Add(Place place, string path, DifferenceKind kind, string text, object? old, object? @new) =>
        _differences.Add(new ConfigDifference(path, kind, text) { Owners = (place.Old, place.New), Property = place.Property, Values = (old, @new) });

    /// <summary>A key, and the records that have it.</summary>
    private sealed record Place(string Path, PropertyInfo Property, object Old, object New);
}
