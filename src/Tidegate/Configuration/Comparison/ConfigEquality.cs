using System.Collections;

namespace Tidegate.Configuration.Comparison;

/// <summary>Whether two bound values say the same. Records compare their lists by reference; here lists are equal when their items are.</summary>
internal static class ConfigEquality
{
    public static bool AreEqual(object? one, object? other)
    {
        if (one is null || other is null || one.GetType() != other.GetType())
        {
            // A list may be an array here and a List there.
            return ReferenceEquals(one, other) || (one is IList list && other is IList otherList && AreEqual(list, otherList));
        }

        return one is IList items ? AreEqual(items, (IList)other)
            : ConfigShape.IsRecord(one.GetType()) ? ConfigShape.Keys(one.GetType()).All(key => AreEqual(key.Property.GetValue(one), key.Property.GetValue(other)))
            : one.Equals(other);
    }

    private static bool AreEqual(IList one, IList other)
    {
        if (one.Count != other.Count)
        {
            return false;
        }

        for (var i = 0; i < one.Count; i++)
        {
            if (!AreEqual(one[i], other[i]))
            {
                return false;
            }
        }

        return true;
    }
}
