namespace Tidegate.Control.Inventory;

/// <summary>
/// A tree of path segments. A segment that looks like a value is a parameter at once; where names turn out to be too many, they were values, and what is below them becomes one.
/// Not thread-safe.
/// </summary>
internal sealed class PathNode
{
    /// <summary>Different names in one place. A service with more operations side by side is rarer than one whose ids look like words.</summary>
    public const int MaxNames = 40;

    private const int MaxDepth = 16;

    // Behind the parameters of one place.
    private const int MaxVerbs = 16;

    private readonly Dictionary<string, PathNode> _children = [];
    private readonly Dictionary<string, PathNode>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly List<FoundEndpoint> _methods = [];
    private int _names;
    private int _verbs;
    private bool _isCollapsed;

    public PathNode() => _lookup = _children.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>What ends here, a method each.</summary>
    public IReadOnlyList<FoundEndpoint> Methods => _methods;

    /// <summary>The node of a path.</summary>
    /// <param name="path">As a target has it.</param>
    /// <param name="mayAdd">Whether one is made that is not there.</param>
    /// <returns>Null when it is not there, or holds only by names that must not be added.</returns>
    public PathNode? Find(ReadOnlySpan<char> path, bool mayAdd) => Find(path, mayAdd, isSaved: false);

    /// <summary>The node of a template that was written to the file; made when it is not there.</summary>
    public PathNode AddSaved(ReadOnlySpan<char> template) => Find(template, mayAdd: true, isSaved: true)!;

    /// <summary>What a method does here; null when nothing is known and nothing may be added.</summary>
    public FoundEndpoint? Of(string method, bool mayAdd)
    {
        foreach (var known in _methods)
        {
            if (known.Method == method)
            {
                return known;
            }
        }

        if (!mayAdd)
        {
            return null;
        }

        var added = new FoundEndpoint { Method = method };
        _methods.Add(added);
        return added;
    }

    /// <summary>Everything that is known, by path.</summary>
    public IEnumerable<(string Path, FoundEndpoint Endpoint)> All(string path = "")
    {
        foreach (var endpoint in _methods)
        {
            yield return (path.Length == 0 ? "/" : path, endpoint);
        }

        foreach (var (name, child) in _children.OrderBy(child => child.Key, StringComparer.Ordinal))
        {
            foreach (var found in child.All(path + "/" + name))
            {
                yield return found;
            }
        }
    }

    private PathNode? Find(ReadOnlySpan<char> path, bool mayAdd, bool isSaved)
    {
        var node = this;
        var depth = 0;
        foreach (var range in path.TrimStart('/').Split('/'))
        {
            var segment = path.TrimStart('/')[range];
            if (++depth > MaxDepth)
            {
                return node.Child(PathSegment.Rest, mayAdd, isSaved);
            }

            if (node.Child(segment, mayAdd, isSaved) is not { } child)
            {
                return null;
            }

            node = child;
        }

        return node;
    }

    private PathNode? Child(ReadOnlySpan<char> segment, bool mayAdd, bool isSaved)
    {
        if (_lookup.TryGetValue(segment, out var known))
        {
            return known;
        }

        var parameter = PathSegment.TemplateOf(segment) ?? PathSegment.ParameterOf(segment);
        if (parameter == PathSegment.Value)
        {
            // Only what was collapsed stands for names. A client may write it too, and files of before had it for text, beside names.
            var isCollapsed = isSaved && _names == 0;
            _isCollapsed |= isCollapsed && mayAdd;
            parameter = isCollapsed ? parameter : PathSegment.Text;
        }

        if (parameter is not null && _children.TryGetValue(parameter, out known))
        {
            return known;
        }

        if (parameter is not null && mayAdd && PathSegment.VerbOf(parameter) is { IsEmpty: false } verb)
        {
            // A service knows a few verbs; where there are more they were parts of values (order-17:alice).
            if (_verbs == MaxVerbs)
            {
                return Child(parameter.AsSpan()[..^verb.Length], mayAdd, isSaved);
            }

            _verbs++;
        }

        var isName = parameter is null && PathSegment.IsName(segment);
        if (isName && _isCollapsed)
        {
            return _children[PathSegment.Value];
        }

        if (!mayAdd)
        {
            return null;
        }

        var added = new PathNode();
        _children.Add(parameter ?? segment.ToString(), added);
        _names += isName ? 1 : 0;
        return _names > MaxNames ? Collapse() : added;
    }

    /// <summary>All names were values of one parameter, and those to come are.</summary>
    private PathNode Collapse()
    {
        var value = _children.TryGetValue(PathSegment.Value, out var known) ? known : new PathNode();
        foreach (var (name, child) in _children.Where(child => PathSegment.IsName(child.Key)).ToList())
        {
            value.Add(child);
            _children.Remove(name);
        }

        _names = 0;
        _isCollapsed = true;
        _children[PathSegment.Value] = value;
        return value;
    }

    private void Add(PathNode other)
    {
        foreach (var endpoint in other._methods)
        {
            if (Of(endpoint.Method, mayAdd: false) is { } mine)
            {
                mine.Add(endpoint);
            }
            else
            {
                _methods.Add(endpoint);
            }
        }

        foreach (var (name, child) in other._children)
        {
            if (_children.TryGetValue(name, out var mine))
            {
                mine.Add(child);
            }
            else
            {
                _children.Add(name, child);
                _names += PathSegment.IsName(name) ? 1 : 0;
            }
        }

        _isCollapsed |= other._isCollapsed;
        if (_names > MaxNames || (_isCollapsed && _names > 0))
        {
            Collapse();
        }
    }
}
