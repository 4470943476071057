class LetContentBeElsewhere < ActiveRecord::Migration[6.1]
  def change
    change_column_null :pictures, :content, true
  end
end
