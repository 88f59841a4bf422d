export type Json =
  | string
  | number
  | boolean
  | null
  | { [key: string]: Json | undefined }
  | Json[]

export type Database = {
  public: {
    Tables: {
      clips: {
        Row: {
          author_id: string
          created_at: string
          decided_at: string | null
          duration_ms: number
          id: string
          is_hidden: boolean
          kind: Database["public"]["Enums"]["clip_kind"]
          language: string
          media_path: string
          prompt: string | null
          published_at: string | null
          status: Database["public"]["Enums"]["validation_status"]
          status_reason: string | null
          transcript: string | null
          version: number
        }
        ComputedFields: never
        Insert: {
          author_id: string
          created_at?: string
          decided_at?: string | null
          duration_ms: number
          id?: string
          is_hidden?: boolean
          kind: Database["public"]["Enums"]["clip_kind"]
          language: string
          media_path: string
          prompt?: string | null
          published_at?: string | null
          status?: Database["public"]["Enums"]["validation_status"]
          status_reason?: string | null
          transcript?: string | null
          version?: number
        }
        Update: {
          author_id?: string
          created_at?: string
          decided_at?: string | null
          duration_ms?: number
          id?: string
          is_hidden?: boolean
          kind?: Database["public"]["Enums"]["clip_kind"]
          language?: string
          media_path?: string
          prompt?: string | null
          published_at?: string | null
          status?: Database["public"]["Enums"]["validation_status"]
          status_reason?: string | null
          transcript?: string | null
          version?: number
        }
        Relationships: [
          {
            foreignKeyName: "clips_author_id_fkey"
            columns: ["author_id"]
            isOneToOne: false
            referencedRelation: "profiles"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "clips_language_fkey"
            columns: ["language"]
            isOneToOne: false
            referencedRelation: "languages"
            referencedColumns: ["code"]
          },
        ]
      }
      languages: {
        Row: {
          code: string
          is_open: boolean
          name: string
        }
        ComputedFields: never
        Insert: {
          code: string
          is_open?: boolean
          name: string
        }
        Update: {
          code?: string
          is_open?: boolean
          name?: string
        }
        Relationships: []
      }
      profiles: {
        Row: {
          avatar_path: string | null
          bio: string
          created_at: string
          display_name: string
          handle: string
          id: string
          updated_at: string
        }
        ComputedFields: never
        Insert: {
          avatar_path?: string | null
          bio?: string
          created_at?: string
          display_name?: string
          handle: string
          id: string
          updated_at?: string
        }
        Update: {
          avatar_path?: string | null
          bio?: string
          created_at?: string
          display_name?: string
          handle?: string
          id?: string
          updated_at?: string
        }
        Relationships: []
      }
      votes: {
        Row: {
          clip_id: string
          created_at: string
          label: string
          updated_at: string
          voter_id: string
        }
        ComputedFields: never
        Insert: {
          clip_id: string
          created_at?: string
          label: string
          updated_at?: string
          voter_id: string
        }
        Update: {
          clip_id?: string
          created_at?: string
          label?: string
          updated_at?: string
          voter_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "votes_clip_id_fkey"
            columns: ["clip_id"]
            isOneToOne: false
            referencedRelation: "clip_feed"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "votes_clip_id_fkey"
            columns: ["clip_id"]
            isOneToOne: false
            referencedRelation: "clips"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "votes_voter_id_fkey"
            columns: ["voter_id"]
            isOneToOne: false
            referencedRelation: "profiles"
            referencedColumns: ["id"]
          },
        ]
      }
    }
    Views: {
      audit_events: {
        Row: {
          action: string
          actor_id: string | null
          actor_role: string
          at: string
          details: NonNullable<Json>
          id: number
          reason: string | null
          request_id: string
          subject_id: string
          subject_type: string
        }
        ComputedFields: never
        Insert: {
          action?: string | null
          actor_id?: string | null
          actor_role?: string | null
          at?: string | null
          details?: Json | null
          id?: number | null
          reason?: string | null
          request_id?: string | null
          subject_id?: string | null
          subject_type?: string | null
        }
        Update: {
          action?: string | null
          actor_id?: string | null
          actor_role?: string | null
          at?: string | null
          details?: Json | null
          id?: number | null
          reason?: string | null
          request_id?: string | null
          subject_id?: string | null
          subject_type?: string | null
        }
        Relationships: []
      }
      clip_feed: {
        Row: {
          author_avatar_path: string | null
          author_display_name: string
          author_handle: string
          author_id: string
          duration_ms: number
          id: string
          kind: Database["public"]["Enums"]["clip_kind"]
          language: string
          media_path: string
          prompt: string | null
          published_at: string | null
          transcript: string | null
        }
        ComputedFields: never
        Relationships: [
          {
            foreignKeyName: "clips_author_id_fkey"
            columns: ["author_id"]
            isOneToOne: false
            referencedRelation: "profiles"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "clips_language_fkey"
            columns: ["language"]
            isOneToOne: false
            referencedRelation: "languages"
            referencedColumns: ["code"]
          },
        ]
      }
      wallets: {
        Row: {
          available: number | null
          created_at: string
          currency: string
          held: number
          pending: number | null
          posted: number
          version: number
        }
        ComputedFields: never
        Insert: {
          available?: never
          created_at?: string | null
          currency?: string | null
          held?: number | null
          pending?: never
          posted?: number | null
          version?: number | null
        }
        Update: {
          available?: never
          created_at?: string | null
          currency?: string | null
          held?: number | null
          pending?: never
          posted?: number | null
          version?: number | null
        }
        Relationships: []
      }
    }
    Functions: {
      approve_setting_change: {
        Args: { change_id: string; idempotency_key?: string }
        Returns: Database["public"]["CompositeTypes"]["setting_change"]
        SetofOptions: {
          from: "*"
          to: "setting_change"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      cast_vote: {
        Args: { clip_id: string; label: string }
        Returns: Database["public"]["CompositeTypes"]["vote_outcome"]
        SetofOptions: {
          from: "*"
          to: "vote_outcome"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      change_setting: {
        Args: {
          idempotency_key?: string
          name: string
          reason: string
          value: string
        }
        Returns: Database["public"]["CompositeTypes"]["setting_change"]
        SetofOptions: {
          from: "*"
          to: "setting_change"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      disputed_clips: {
        Args: { after?: string; language: string; max_rows?: number }
        Returns: Database["public"]["CompositeTypes"]["disputed_clip"][]
        SetofOptions: {
          from: "*"
          to: "disputed_clip"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      erase_account: {
        Args: {
          forfeit?: boolean
          idempotency_key?: string
          reason: string
          user_id: string
        }
        Returns: Database["public"]["CompositeTypes"]["account_erasure"]
        SetofOptions: {
          from: "*"
          to: "account_erasure"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      erase_my_account: {
        Args: { confirm: string; idempotency_key?: string }
        Returns: Database["public"]["CompositeTypes"]["account_erasure"]
        SetofOptions: {
          from: "*"
          to: "account_erasure"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      export_my_data: { Args: Record<PropertyKey, never>; Returns: Json }
      grant_role: {
        Args: {
          idempotency_key?: string
          reason: string
          role: Database["public"]["Enums"]["app_role"]
          user_id: string
        }
        Returns: undefined
      }
      list_flags: {
        Args: Record<PropertyKey, never>
        Returns: Database["public"]["CompositeTypes"]["feature_flag"][]
        SetofOptions: {
          from: "*"
          to: "feature_flag"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      list_setting_changes: {
        Args: { before_change?: string; max_rows?: number }
        Returns: Database["public"]["CompositeTypes"]["setting_change"][]
        SetofOptions: {
          from: "*"
          to: "setting_change"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      list_settings: {
        Args: Record<PropertyKey, never>
        Returns: Database["public"]["CompositeTypes"]["setting"][]
        SetofOptions: {
          from: "*"
          to: "setting"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      me: {
        Args: Record<PropertyKey, never>
        Returns: Database["public"]["CompositeTypes"]["me"]
        SetofOptions: {
          from: "*"
          to: "me"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      my_flags: {
        Args: Record<PropertyKey, never>
        Returns: {
          flag: string
          is_on: boolean
        }[]
      }
      next_clips_to_review: {
        Args: { language: string; max_clips?: number }
        Returns: Database["public"]["CompositeTypes"]["review_item"][]
        SetofOptions: {
          from: "*"
          to: "review_item"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      reject_setting_change: {
        Args: { change_id: string; idempotency_key?: string; reason: string }
        Returns: Database["public"]["CompositeTypes"]["setting_change"]
        SetofOptions: {
          from: "*"
          to: "setting_change"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      revoke_role: {
        Args: {
          idempotency_key?: string
          reason: string
          role: Database["public"]["Enums"]["app_role"]
          user_id: string
        }
        Returns: undefined
      }
      seal_status: {
        Args: Record<PropertyKey, never>
        Returns: Database["public"]["CompositeTypes"]["seal_state"][]
        SetofOptions: {
          from: "*"
          to: "seal_state"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      set_flag: {
        Args: {
          description?: string
          flag: string
          idempotency_key?: string
          is_on?: boolean
          percentage?: number
          reason: string
        }
        Returns: Database["public"]["CompositeTypes"]["feature_flag"]
        SetofOptions: {
          from: "*"
          to: "feature_flag"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      set_flag_for_user: {
        Args: {
          flag: string
          idempotency_key?: string
          is_listed: boolean
          reason: string
          user_id: string
        }
        Returns: Database["public"]["CompositeTypes"]["feature_flag"]
        SetofOptions: {
          from: "*"
          to: "feature_flag"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      set_validation_status: {
        Args: {
          clip_id: string
          idempotency_key?: string
          reason: string
          status: Database["public"]["Enums"]["validation_status"]
        }
        Returns: Database["public"]["CompositeTypes"]["validation_outcome"]
        SetofOptions: {
          from: "*"
          to: "validation_outcome"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      skip_clip: { Args: { clip_id: string }; Returns: undefined }
      submit_clip: {
        Args: {
          duration_ms: number
          idempotency_key?: string
          kind: Database["public"]["Enums"]["clip_kind"]
          language: string
          media_path: string
          prompt?: string
          transcript?: string
        }
        Returns: {
          author_id: string
          created_at: string
          decided_at: string | null
          duration_ms: number
          id: string
          is_hidden: boolean
          kind: Database["public"]["Enums"]["clip_kind"]
          language: string
          media_path: string
          prompt: string | null
          published_at: string | null
          status: Database["public"]["Enums"]["validation_status"]
          status_reason: string | null
          transcript: string | null
          version: number
        }
        SetofOptions: {
          from: "*"
          to: "clips"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      update_profile: {
        Args: {
          avatar_path?: string
          bio?: string
          display_name?: string
          handle?: string
          locale?: string
          timezone?: string
        }
        Returns: Database["public"]["CompositeTypes"]["me"]
        SetofOptions: {
          from: "*"
          to: "me"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      votes_on_clip: {
        Args: { clip_id: string }
        Returns: {
          clip_id: string
          created_at: string
          label: string
          updated_at: string
          voter_id: string
        }[]
        SetofOptions: {
          from: "*"
          to: "votes"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      wallet_statement: {
        Args: { before?: number; currency: string; max_rows?: number }
        Returns: Database["public"]["CompositeTypes"]["statement_line"][]
        SetofOptions: {
          from: "*"
          to: "statement_line"
          isOneToOne: false
          isSetofReturn: true
        }
      }
    }
    Enums: {
      app_role: "student" | "tutor" | "ambassador" | "moderator" | "admin"
      clip_kind: "voice" | "video"
      setting_change_state:
        "proposed" | "applied" | "rejected" | "superseded" | "expired"
      setting_type: "integer" | "seconds" | "text" | "rate"
      validation_status: "pending" | "valid" | "invalid"
    }
    CompositeTypes: {
      account_erasure: {
        user_id: string | null
        erased_at: string | null
        sign_in_deleted_at: string | null
        forfeited: boolean | null
      }
      disputed_clip: {
        clip_id: string | null
        kind: Database["public"]["Enums"]["clip_kind"] | null
        language: string | null
        author_id: string | null
        media_path: string | null
        prompt: string | null
        transcript: string | null
        labels: string[] | null
        tally: number[] | null
      }
      feature_flag: {
        flag: string | null
        is_on: boolean | null
        percentage: number | null
        description: string | null
        listed_users: string[] | null
        updated_at: string | null
      }
      me: {
        id: string | null
        handle: string | null
        display_name: string | null
        avatar_path: string | null
        bio: string | null
        locale: string | null
        timezone: string | null
        phone_verified_at: string | null
        is_member: boolean | null
        roles: Database["public"]["Enums"]["app_role"][] | null
        wallets: Database["public"]["CompositeTypes"]["wallet_balance"][] | null
        created_at: string | null
        flags: string[] | null
      }
      review_item: {
        clip_id: string | null
        kind: Database["public"]["Enums"]["clip_kind"] | null
        language: string | null
        media_path: string | null
        duration_ms: number | null
        prompt: string | null
        transcript: string | null
        labels: string[] | null
        lease_expires_at: string | null
      }
      seal_state: {
        chain: string | null
        seal_no: number | null
        digest: string | null
        sealed_at: string | null
        unsealed_rows: number | null
        unsealed_seconds: number | null
      }
      setting: {
        name: string | null
        type: Database["public"]["Enums"]["setting_type"] | null
        value: string | null
        lowest: number | null
        highest: number | null
        needs_approval: boolean | null
        description: string | null
      }
      setting_change: {
        change_id: string | null
        name: string | null
        old_value: string | null
        new_value: string | null
        state: Database["public"]["Enums"]["setting_change_state"] | null
        reason: string | null
        proposed_by: string | null
        proposed_at: string | null
        expires_at: string | null
        decided_by: string | null
        decided_at: string | null
      }
      statement_line: {
        entry_no: number | null
        amount: number | null
        balance_after: number | null
        currency: string | null
        cause: string | null
        cause_id: string | null
        event_at: string | null
        created_at: string | null
      }
      validation_outcome: {
        clip_id: string | null
        status: Database["public"]["Enums"]["validation_status"] | null
        previous_status: Database["public"]["Enums"]["validation_status"] | null
        is_settled: boolean | null
        version: number | null
      }
      vote_outcome: {
        clip_id: string | null
        label: string | null
        status: Database["public"]["Enums"]["validation_status"] | null
        is_decided: boolean | null
        votes: number | null
        votes_needed: number | null
        version: number | null
      }
      wallet_balance: {
        currency: string | null
        posted: number | null
        held: number | null
        available: number | null
        pending: number | null
      }
    }
  }
}

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] &
        DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] &
        DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
        Row: infer R
      }
      ? R
      : never
    : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    keyof DefaultSchema["Tables"] | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Insert: infer I
      }
      ? I
      : never
    : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    keyof DefaultSchema["Tables"] | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Update: infer U
      }
      ? U
      : never
    : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    keyof DefaultSchema["Enums"] | { schema: keyof DatabaseWithoutInternals },
  EnumName extends (DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never) = never,
> = DefaultSchemaEnumNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
    : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends (PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never) = never,
> = PublicCompositeTypeNameOrOptions extends {
  schema: keyof DatabaseWithoutInternals
}
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
    : never

export const Constants = {
  public: {
    Enums: {
      app_role: ["student", "tutor", "ambassador", "moderator", "admin"],
      clip_kind: ["voice", "video"],
      setting_change_state: [
        "proposed",
        "applied",
        "rejected",
        "superseded",
        "expired",
      ],
      setting_type: ["integer", "seconds", "text", "rate"],
      validation_status: ["pending", "valid", "invalid"],
    },
  },
} as const
