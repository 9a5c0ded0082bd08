namespace Tidegate.Configuration;

/// <summary>Finds methods that no request can have.</summary>
internal sealed class MethodChecks(ConfigPositions positions, List<ConfigProblem> problems)
{
    /// <summary>Looks at the list under a record's key <c>methods</c>.</summary>
    /// <returns>Whether all of them can be.</returns>
    public bool Check(object record, IReadOnlyList<string> methods)
    {
        var before = problems.Count;
        for (var i = 0; i < methods.Count; i++)
        {
            if (methods[i].Length == 0 || methods[i].Any(letter => !char.IsAsciiLetterUpper(letter) && letter != '-'))
            {
                problems.Add(new ConfigProblem(positions.Of(record, "methods", i), ConfigSeverity.Error, $"'{methods[i]}' is no method; methods are written in capitals, for example GET"));
            }
        }

        return problems.Count == before;
    }
}
