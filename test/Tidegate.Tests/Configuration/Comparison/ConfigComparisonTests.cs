using System.Collections;
using System.Reflection;
using Tidegate.Configuration;
using Tidegate.Configuration.Comparison;
using Xunit;

namespace Tidegate.Tests.Configuration.Comparison;

/// <summary>The comparison knows every key, those of later versions included.</summary>
public sealed class ConfigComparisonTests
{
    [Fact]
    public void Every_key_of_the_configuration_is_compared()
    {
        var (old, @new) = ((GatewayConfig)Filled(typeof(GatewayConfig)), (GatewayConfig)Filled(typeof(GatewayConfig)));
        Assert.Empty(Compare(old, @new));

        var seen = new HashSet<string>();
        foreach (var (owner, property) in Properties(@new).Where(entry => IsLeaf(entry.Property)))
        {
            var value = property.GetValue(owner);
            property.SetValue(owner, Sample(property.PropertyType, other: true));
            var difference = Assert.Single(Compare(old, @new));
            property.SetValue(owner, value);

            Assert.EndsWith(ConfigShape.SnakeCase(property.Name), difference.Path, StringComparison.Ordinal);
            Assert.DoesNotContain("sample", property.PropertyType == typeof(Secret) ? difference.Text : "", StringComparison.Ordinal);
            seen.Add(Name(property));
        }

        var keys = Records(typeof(GatewayConfig), []).SelectMany(ConfigShape.Keys).Select(key => key.Property).Where(IsLeaf);
        Assert.Equal(keys.Select(Name).Order(StringComparer.Ordinal), seen.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_mapping_that_may_be_missing_is_compared_as_a_whole()
    {
        var (old, @new) = ((GatewayConfig)Filled(typeof(GatewayConfig)), (GatewayConfig)Filled(typeof(GatewayConfig)));
        foreach (var (owner, property) in Mappings(@new).Where(entry => new NullabilityInfoContext().Create(entry.Property).WriteState == NullabilityState.Nullable))
        {
            var value = property.GetValue(owner);
            property.SetValue(owner, null);
            var removed = Assert.Single(Compare(old, @new));
            var added = Assert.Single(Compare(@new, old));
            property.SetValue(owner, value);

            Assert.Equal((DifferenceKind.Removed, DifferenceKind.Added), (removed.Kind, added.Kind));
            Assert.EndsWith(ConfigShape.SnakeCase(property.Name), removed.Path, StringComparison.Ordinal);
        }
    }

    private static IReadOnlyList<ConfigDifference> Compare(GatewayConfig old, GatewayConfig @new) => ConfigComparison.Compare(Loaded(old), Loaded(@new));

    private static LoadedConfiguration Loaded(GatewayConfig config) => new(config, [], [], new ConfigPositions(), _ => null) { Mask = text => text };

    private static string Name(PropertyInfo property) => $"{property.DeclaringType!.Name}.{property.Name}";

    // An item of a list is known by its name: another name is another item. What an include brings is compared as if it stood in the file. One word has no other.
    private static bool IsLeaf(PropertyInfo property) =>
        !ConfigShape.IsRecord(ConfigShape.ItemType(property.PropertyType) ?? property.PropertyType)
        && property.Name is not ("Name" or nameof(GatewayConfig.Include))
        && !(property.PropertyType.IsEnum && Enum.GetValues(property.PropertyType).Length == 1);

    private static IEnumerable<(object Owner, PropertyInfo Property)> Mappings(object record) => Properties(record).Where(entry => ConfigShape.IsRecord(entry.Property.PropertyType));

    private static IEnumerable<(object Owner, PropertyInfo Property)> Properties(object record)
    {
        foreach (var (_, property) in ConfigShape.Keys(record.GetType()))
        {
            yield return (record, property);
            var value = property.GetValue(record);
            IEnumerable<object> inner = value is IList list && ConfigShape.ItemType(property.PropertyType) is { } item && ConfigShape.IsRecord(item) ? list.Cast<object>()
                : ConfigShape.IsRecord(property.PropertyType) ? [value!]
                : [];
            foreach (var found in inner.SelectMany(Properties))
            {
                yield return found;
            }
        }
    }

    private static HashSet<Type> Records(Type record, HashSet<Type> found)
    {
        if (found.Add(record))
        {
            foreach (var type in ConfigShape.Keys(record).Select(key => ConfigShape.ItemType(key.Property.PropertyType) ?? key.Property.PropertyType).Where(ConfigShape.IsRecord))
            {
                Records(type, found);
            }
        }

        return found;
    }

    /// <summary>A record with a value in every key, and one item in every list.</summary>
    private static object Filled(Type record)
    {
        var filled = Activator.CreateInstance(record, nonPublic: true)!;
        foreach (var (_, property) in ConfigShape.Keys(record))
        {
            property.SetValue(filled, Sample(property.PropertyType, other: false));
        }

        return filled;
    }

    private static object Sample(Type declared, bool other)
    {
        var type = Nullable.GetUnderlyingType(declared) ?? declared;
        if (ConfigShape.ItemType(type) is { } item)
        {
            var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(item))!;
            list.Add(Sample(item, other));
            return list;
        }

        return ConfigShape.IsRecord(type) ? Filled(type)
            : type == typeof(string) ? (other ? "/other" : "/sample")
            : type == typeof(Secret) ? new Secret(other ? "other" : "sample")
            : type == typeof(bool) ? other
            : type == typeof(TimeSpan) ? TimeSpan.FromSeconds(other ? 2 : 1)
            : type.IsEnum ? Enum.GetValues(type).GetValue(other ? Enum.GetValues(type).Length - 1 : 0)!
            : Convert.ChangeType(other ? 2 : 1, type, System.Globalization.CultureInfo.InvariantCulture);
    }
}
